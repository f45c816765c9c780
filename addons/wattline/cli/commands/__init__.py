"""What can be asked for, by what it is about. The work of each command is in a module it imports."""
