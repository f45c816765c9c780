"""What is looked at before a call begins: heads, paths, hosts, own pages."""
