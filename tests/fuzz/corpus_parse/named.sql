UPDATE t SET a = %(x)s, (b, c) = (%(y)s, DEFAULT) FROM u WHERE t.id = %(x)s RETURNING *
