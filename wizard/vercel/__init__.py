"""What a project at Vercel is, what becomes of it, and its rules in the new front end's form."""
