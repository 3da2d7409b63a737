"""The language model behind one port: none or Anthropic, with its cache of answers and its budget."""
