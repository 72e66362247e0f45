"""Apps: built, deployed on a trial domain, healthy, and equal to the old ones."""
