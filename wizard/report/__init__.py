"""What was really done and proven: the report, the runbook, the handbook, the document's checklist."""
