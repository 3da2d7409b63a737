"""The queue of deliveries: whose turn it is, what is attempted again, and what is given up."""
