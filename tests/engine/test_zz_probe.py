import sys; sys.path.insert(0, "/tmp/w")
from ex_probe import *
from tests.support.examples import add_line, replace

async def test_voice(engine, tmp_path, start):
    examples.load_bases(engine, "voice")
    project = Project(examples.copy("voice", tmp_path / "voice"))
    live = await opened(project, tmp_path, start)
    await done(live, 1); dump(live, "first")
    add_line(project, "main.py")
    await done(live, 2); dump(live, "main.py")
    replace(project, "uv.lock", 'version = "2.3.4"', 'version = "2.3.3"')
    await live.until(lambda s: s.build.number == 3, "3")
    seen = []
    while 3 not in live.ended:
        s = live.snapshot
        st = [(p.name, str(p.status), p.note) for p in s.build.parts], [(x.id, str(x.verdict), str(x.planned)) for x in s.build.steps]
        if not seen or seen[-1] != st: seen.append(st)
        await asyncio.sleep(0.01)
    for x in seen: print(x)
    await done(live, 3); dump(live, "uv.lock")
    for s in live.snapshot.build.steps:
        if s.cause and s.bake_target=="app":
            print(s.id); [print("     ", text_of(l)) for l in reason(s, live.snapshot.build)]
