"""A Dokploy panel per new host."""
