"""`init`: find what there is, read only, and describe it in a commented config.toml.

found      what was found, and what could not be asked
ask        questions to the operator, or their defaults
vercel     projects at Vercel        host   the machine that runs compose today
git        what repositories hold    zone   who serves the names, what Hetzner sells
describe   from what was found to the tables of the file
write      the file's text
"""
