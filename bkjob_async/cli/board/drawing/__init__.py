"""Drawing for the views: lines of texts with roles, signs, bars, and the widget that shows them."""
