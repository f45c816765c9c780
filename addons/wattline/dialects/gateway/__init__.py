"""The dialect of a gateway before many providers: a call names its provider and its model."""
