import sys, pathlib, databases, runner, contextlib
# scratch: validates test files on PostgreSQL/SQLite alone
with databases.postgres() as connect:
    for path in sorted(pathlib.Path('.').glob('*.test')):
        if len(sys.argv) > 1 and path.stem not in sys.argv[1:]: continue
        wanted, blocks = runner.parse(path.read_text())
        with contextlib.ExitStack() as st:
            dbs=[]
            if 'sqlite' in wanted: dbs.append(st.enter_context(databases.sqlite_database()))
            if 'postgres' in wanted: dbs.append(st.enter_context(databases.postgres_database(connect)))
            if len(dbs)==0: print(path.stem, 'no oracle'); continue
            first=dbs[-1]
            nq=0
            for b in blocks:
                if b.kind=='query' and b.expected is not None: continue
                res={}
                sqls=[b.sql] if b.kind!='predicates' else [f"SELECT id, ({p}) AS p FROM {b.words[0]}" for p in b.lines]
                for sql in sqls:
                  nq+=1
                  res={}
                  for d in dbs:
                    if not b.seen_by(d.name): continue
                    try:
                        res[d.name]=d.run(sql,b.parameters)[0]
                        if b.kind=='statement' and b.words[0]=='error': print(path.stem,b.at,d.name,'NO ERROR',sql)
                    except d.error as e:
                        if b.kind=='statement' and b.words[0]=='error':
                            import psycopg
                            if d.name=='postgres':
                                n=type(e).__name__
                                import re
                                snake=re.sub(r'(?<!^)(?=[A-Z])','_',n).lower()
                                if snake!=b.words[1]: print(path.stem,b.at,'pg says',snake,'file says',b.words[1],sql)
                        else: print(path.stem,b.at,d.name,sql[:100],'->',str(e).splitlines()[0])
                  if len(res)==2 and b.kind!='statement':
                    try: runner.compare(sql,res['postgres'],res['sqlite'],'sqlite',b.ordered,True)
                    except runner.Mismatch as e: print(path.stem,b.at,e)
            print(path.stem, nq)
