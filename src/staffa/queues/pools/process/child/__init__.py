"""The program of a child: it runs one job after another, and ends with its parent."""
