"""The contract as files for others: JSON Schemas, AsyncAPI, examples. Not used at run time."""
