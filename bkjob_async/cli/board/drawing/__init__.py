"""What the views draw with: lines with roles, signs, bars, and the widget that shows them."""
