SELECT %s, '50%%' FROM t WHERE a %% %s = 0 AND b IN %s LIMIT %s
