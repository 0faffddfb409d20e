"""The doctor's looks at the world, each bounded in time; none changes anything."""
