"""`/openapi.json`: a document of every endpoint, made from the tables that serve them."""
