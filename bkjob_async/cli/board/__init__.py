"""A live board of a watch on a terminal: a pure model, pure layouts, and a thin view that textual shows."""
