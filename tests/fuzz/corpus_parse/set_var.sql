SET SESSION a.b TO 'x', -1, on
