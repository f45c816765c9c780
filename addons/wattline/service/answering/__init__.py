"""What an attempt's upstream answers: heard, settled, passed on to the client."""
