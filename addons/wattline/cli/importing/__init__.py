"""`wattline import`: files of other gateways."""
