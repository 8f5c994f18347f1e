"""What a watch writes to its journal, and what it takes from there when it is opened again."""
