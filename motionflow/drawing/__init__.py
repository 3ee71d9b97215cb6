"""What numbers look like: tables, figures, flow as colours and arrows."""
