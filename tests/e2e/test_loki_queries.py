"""LogQL beside a real Loki, where `LOKI_BIN` names one: stages, templates, functions and operators over the records of `test_loki_answers.py`.

Left out is what Loki answers by chance (which of equal series are the topmost, which of several errors is told), what it fails at (a
division by zero of constants), and the words of some errors, which are ours for the reasons given there.
"""

import json

import pytest
from loki_reference import LOKI, Loki
from test_loki_answers import CATEGORIZED, ask, base, even, ours, push, told  # noqa: F401, two are fixtures

SHOP, CART, WEB, ALL = '{app="shop"}', '{app="cart"}', '{job="web"}', '{env=~".+"}'
STAGES = {
    SHOP: [
        'json | line_format `{{.took | trimSuffix "ms"}} {{ add 1 2 }} {{ .user_name | upper }} {{ __line__ | len }} {{ __timestamp__ | date "2006-01-02T15" | len }}`',
        'json | line_format `{{ if eq .level "error" }}E{{ else }}{{ .level }}{{ end }} {{ range $i, $e := fromJson __line__ }}{{ $i }};{{ end }}`',
        'json | label_format a=took, b=`{{ .n | int | mul 3 }}`, c="{{ printf `%05.1f` (.n | float64) }}" | line_format "{{.a}} {{.b}} {{.c}}"',
        "json | n > 5 and took < 9ms", 'json | took >= 3ms or level = "error"', "json | n = 3.0", 'json | ok = "true" | user_id != 4', "json | took > 5", "json | level > 5",
        'json | level > 5 | __error__ = ""', 'json | level > 5 | __error__ =~ ".+"', "logfmt", 'json x="user.name", y="user[\\"id\\"]", z="nope"', 'json | keep user_id, level="error"', 'json | drop level="error", trace',
        'trace =~ "t1.*"', 'req = "r" | trace != "t3" | json | req = "r"', 'detected_level = "warn"', 'level = "warn"', 'json | pod = "shop-1"', 'json | label_format pod="x"', 'label_format trace="new {{.trace}}"',
        'json | line_format "{{.nope}}|{{.user_id}}|{{ default `d` .nope }}"', 'json | line_format "{{ .took | bytes }} {{ .took | duration }} {{ duration_seconds .took }}"', 'line_format "{{ unixEpoch __timestamp__ | len }} {{ b64enc `x y` }}"',
        'line_format "{{ alignLeft 5 `abcdefg` }}|{{ alignRight 5 `abc` }}|{{ substr 1 3 `abcdef` }}|{{ repeat 2 `ab` }}|{{ indent 2 `x` }}"',
        'line_format "{{ div 7 2 }} {{ mod 7 2 }} {{ divf 7 2 }} {{ round 3.14159 2 }} {{ ceil 1.2 }} {{ floor 1.8 }} {{ max 1 5 2 }} {{ minf 1.5 0.5 }} {{ subf 5 1.5 }}"',
        'line_format "{{ urlencode `a b&c` }} {{ urldecode `a%20b` }} {{ contains `b` `abc` }} {{ hasPrefix `a` `abc` }} {{ count `a` `banana` }}"', 'line_format "{{ .level }} {{ .detected_level }} {{ .service_name }}"',
        "json | unwrap n", "decolorize", "unpack", 'json | __error__="JSONParserErr"', 'json | line_format "{{ .x.y }}"', "json user", 'json | label_format took2="{{ .took }}x" | took2 =~ ".*x"', 'line_format "{{ fromJson __line__ }}"',
        "line_format ``", 'json | level=""', 'json | nope=""', 'nope=~".*"', 'nope!="x"',
    ],
    CART: [
        "json", 'json | __error__ != ""', "json | drop __error__, __error_details__", "logfmt --keep-empty", 'logfmt c="code", m="msg"', 'logfmt | code=~"50[01]" | msg |= "x"', 'logfmt | addr = ip("10.0.0.0/8")',
        'logfmt | level="warn" or code=500 and msg=~".*2"', 'logfmt | (level="warn" or code=500), msg!=""',
    ],
    WEB: [
        "logfmt", "logfmt --strict", "pattern `<method> <path> <status> <_>`", "pattern `<method> <path> <status> <_>` | status >= 200",
        'regexp `(?P<method>\\w+) (?P<path>\\S+)` | label_format p="{{ .path | replace `/p/` `` }}"', 'line_format "{{ __line__ | regexReplaceAll `[a-z]+` `<$0>` }}"', 'line_format "{{ __line__ | lower | title | trunc 12 }}"',
        'line_format "{{ toDate `2006` `2020` | unixEpochMillis }}"',
    ],
}
RECORDS = [f"{selector} | {stages}" for selector, of_selector in STAGES.items() for stages in of_selector] + [
    f"{WEB} |= `\"q\"`", f'{WEB} |~ "(?i)CAF"', f'{WEB} != "/p/1" !~ "p/[34]"', f'{WEB} |> "GET <_> 200 <_>"', f'{WEB} !> "<_>/3 <_>"', f'{CART} |= ip("10.0.0.1")', '{app=~"shop|cart", env!="dev"}', '{env="dev"} |= "same" or "500"',
    '{env="dev"} != "same" or "500"', '{app="shop", pod=~"shop-[0-9]"}', '{app=~".*", env="dev"}',
]
OVER_TIME = ["max", "min", "stddev", "stdvar", "first", "last", "sum", "avg"]
METRICS = [f"{function}_over_time({SHOP} | json | unwrap n [5s]) by (env)" for function in OVER_TIME] + [
    f"sum(rate({SHOP}[5s])) by (level)", f"sum by (level) (rate({SHOP} | json [5s]))", f"avg by (detected_level) (count_over_time({SHOP}[5s]))", f"max_over_time({SHOP} | json | unwrap n [5s]) by (level)",
    f"quantile_over_time(0.9, {SHOP} | json | unwrap n [5s]) by (env)", f"quantile_over_time(2, {SHOP} | json | unwrap n [5s]) by (env)", f"rate_counter({SHOP} | json | unwrap n [5s])", f"sum(rate_counter({SHOP} | json | unwrap n [5s]))",
    f"bytes_rate({WEB}[5s])", f"sum(bytes_over_time({ALL}[5s])) by (app)", f"absent_over_time({SHOP}[2s])", 'absent_over_time({app="shop",zone="x"}[2s])', f"avg_over_time({SHOP} | json | unwrap duration(took) [5s])",
    f'sum_over_time({SHOP} | json | unwrap level | __error__="" [5s])', f"sum(sum_over_time({CART} | logfmt | unwrap code [5s])) without (level)", f"sort(sum by (job) (count_over_time({WEB}[5s])))", f"count(count_over_time({SHOP}[5s]))",
    f"stddev(count_over_time({SHOP}[5s]))", f'sum by (env) (count_over_time({SHOP}[5s])) / on (env) sum by (env) (count_over_time({{env="prod"}}[10s]))',
    f'sum by (app,env) (count_over_time({SHOP}[5s])) * on (env) group_left sum by (env) (count_over_time({{env="prod"}}[10s]))', f"sum(count_over_time({SHOP}[5s])) and sum(count_over_time({CART}[5s]))",
    f"sum by (app) (count_over_time({SHOP}[5s])) or sum by (app) (count_over_time({CART}[5s]))", f"sum by (app) (count_over_time({ALL}[5s])) unless sum by (app) (count_over_time({CART}[5s]))", f"sum(count_over_time({SHOP}[5s])) > bool 3",
    f"sum(count_over_time({SHOP}[5s])) != 3", f"3 < sum(count_over_time({SHOP}[5s]))", f"sum(count_over_time({SHOP}[5s])) % 3", f"2 ^ sum(count_over_time({SHOP}[2s]))", f"-1 * sum(count_over_time({SHOP}[5s]))",
    f"vector(0) or sum(count_over_time({SHOP}[5s]))", f'label_replace(sum by (app) (rate({SHOP}[5s])), "b", "$1-x", "app", "(s.*)")', f'label_replace(sum by (app) (rate({SHOP}[5s])), "app", "", "app", ".*")',
    f'count_over_time({SHOP} |= "error" [5s])', f'count_over_time({SHOP} | json | level="error" | line_format "x" [5s])', f'bytes_over_time({SHOP} | line_format "x" [5s])', f'sum(count_over_time({SHOP} | json | level > 5 | __error__="" [5s]))',
    f"sum(count_over_time({CART} | json [5s]))", f"count_over_time({CART} | json [5s])", f"sum by (code) (count_over_time({CART} | logfmt [5s] offset 2s))", f"sum(count_over_time({SHOP}[5s] offset -2s))", "avg(vector(3))",
    f"sum(count_over_time({SHOP}[1h])) by ()", f"sum without (trace, req, level, n, ok, took, user_id, user_name) (count_over_time({SHOP} | json [5s]))", f"max_over_time({SHOP} | json | unwrap n [5s])", f"count_over_time({SHOP} | json | unwrap n [5s])",
    f"rate({SHOP} | json | unwrap n [5s])", f"sum(max_over_time({SHOP} | json | unwrap nope [5s]))", f"absent_over_time({SHOP} | json | unwrap n [5s])",
]


def questions(at):
    """As `test_loki_answers.cases` gives them."""
    for query in RECORDS:
        yield query, "/loki/api/v1/query_range", {"query": query, "start": f"{at - 60}", "end": f"{at + 600}", "limit": "20", "direction": "forward"}, CATEGORIZED, "GET"
    for query in METRICS:
        yield f"over time {query}", "/loki/api/v1/query_range", {"query": query, "start": f"{at}", "end": f"{at + 20}", "step": "5"}, {}, "GET"
        yield f"at once {query}", "/loki/api/v1/query", {"query": query, "time": f"{at + 10}"}, {}, "GET"


@pytest.mark.skipif(LOKI is None, reason="no Loki: want one on the path or at LOKI_BIN")
def test_queries_have_the_answers_of_loki(ours, base, tmp_path):  # noqa: F811
    reference = Loki(tmp_path / "loki")
    try:
        reference.wait()
        push(reference.http, reference.session, base)
        differing = []
        for question in questions(base):
            mine, theirs = even(question[0], *(told(ask(server.http, server.session, question), base) for server in (ours, reference)))
            if mine != theirs:
                differing.append(f"{question[0]}\n  ours: {json.dumps(mine)[:1500]}\n  Loki: {json.dumps(theirs)[:1500]}")
        assert not differing, f"{len(differing)} differ:\n" + "\n".join(differing)
    finally:
        reference.stop()
