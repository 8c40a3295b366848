"""The loop program: nests over index spaces, made from the graph, read by the printers."""
