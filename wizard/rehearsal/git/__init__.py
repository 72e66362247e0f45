"""GitHub's and GitLab's stand-in."""
