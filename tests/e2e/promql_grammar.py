"""Random PromQL over the metrics of `promql_world`, from a seed: always the same queries for the same seed.

Only what has one right answer in Prometheus 2.42 and 3 is made. What is left out on purpose, with the change that explains it:
- `rate` and `increase` of anything but counters that stay far from zero: how far a counter is extrapolated back to zero (#13725, 2.51).
- regular expressions on names, and grouping by name: names are removed at the end of a query (#14477, 3.0).
- `atan2`: it kept the name of the metric. `holt_winters`: it is called `double_exponential_smoothing` (3.0).
- `==`, `%`, `^` and rounding of computed numbers: sums and means are compensated (#14074, #14362, #14413, 3.0), so the last digit may
  differ, and these make much of it.
- `topk` and `bottomk` where values may be equal: which of them stays was never said (#12190, 2.43 changed it).
- `stddev` and `stdvar`, over time too, of what may be infinite or NaN: a group of one such value was 0, it is NaN (#14941, 3.0).
- `predict_linear` of a range with `@` in a range query: Prometheus 2.42 reads the samples for the first step only, and loses them later.
- Subqueries in subqueries: steps of one lie on edges of the other, and the early edge does not count (#13904, #15431, 3.0).
- `timestamp` of a selector with `@` and offset: Prometheus forgets the offset there, even today.
- `last_over_time` of native histograms: Prometheus 2.42 answers empty ones. Quantiles and fractions of them: interpolation is
  exponential today (#15177, 3.0).
"""

GAUGES = ["temp", "gaps", "ends", "sparse"]
COUNTERS = ["requests_total", "errors_total"]
FINITE = [*GAUGES, *COUNTERS, "flags"]
SIMPLE = [*FINITE, "odd"]
LABELS = ["job", "instance", "zone", "code"]
VALUES = {"job": ["a", "b", "c", ""], "instance": ["i0", "i1"], "zone": ["north", "south", ""], "code": ["200", "500"]}
RANGES = ["1m", "90s", "2m", "5m", "10m"]
OFFSETS = ["1m", "3m", "-1m", "30s"]
MATH = ["abs", "exp", "sqrt", "ln", "log2", "log10", "sgn", "sin", "cos", "tan", "atan", "asin", "acos", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad"]
OVER_TIME = ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "last", "present"]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"]
DATES = ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"]


class Grammar:
    """Makes queries; `at` is a time in seconds in the middle of the data."""

    def __init__(self, chance, at):
        self.chance, self.at = chance, at
        self.subqueries = 0

    def query(self):
        """A query and what it answers: `vector` or `scalar`."""
        self.subqueries = 0
        depth = self.chance.choice([1, 2, 2, 3, 3, 4])
        return self.scalar(depth) if self.chance.random() < 0.04 else self.top(depth)

    def top(self, depth):
        kind = self.chance.random()
        if kind < 0.03:
            return f"{self.chance.choice(['sort', 'sort_desc'])}({self.vector(depth)})"
        if kind < 0.06:
            return f"absent({self.selector()})"
        if kind < 0.12:
            return self.native(depth)
        return self.vector(depth)

    def pick(self, *choices):
        """One of (weight, function) called."""
        total = sum(weight for weight, _ in choices)
        left = self.chance.random() * total
        for weight, function in choices:
            left -= weight
            if left <= 0:
                return function()
        return choices[-1][1]()

    # Selectors.

    def matchers(self):
        made = []
        for _ in range(self.chance.choice([0, 0, 0, 1, 1, 2])):
            label = self.chance.choice(LABELS)
            value = self.chance.choice(VALUES[label])
            operator = self.chance.choice(["=", "!=", "=~", "!~"])
            if operator in ("=~", "!~"):
                value = self.chance.choice([value, f"{value}|x", f"{value}.*", ".+", f"(?i){value.upper()}", "[a-b]"])
            made.append(f'{label}{operator}"{value}"')
        return "{" + ",".join(made) + "}" if made else ""

    def modifiers(self, both=True):
        """An offset, a time, rarely both."""
        kind = self.chance.random()
        if kind < 0.10:
            return f" offset {self.chance.choice(OFFSETS)}"
        if kind < 0.14:
            return f" @ {self.at + 10 * self.chance.randrange(-20, 20)}"
        if kind < 0.17:
            return f" @ {self.chance.choice(['start()', 'end()'])}"
        if kind < 0.19 and both:
            return f" @ {self.at} offset {self.chance.choice(OFFSETS)}"
        return ""

    def selector(self, names=SIMPLE, both=True):
        return self.chance.choice(names) + self.matchers() + self.modifiers(both)

    def range(self, names=SIMPLE, modifiers=True):
        return f"{self.chance.choice(names)}{self.matchers()}[{self.chance.choice(RANGES)}]{self.modifiers() if modifiers else ''}"

    def subquery(self, inner):
        step = self.chance.choice(["30s", "1m", ""])
        return f"{inner}[{self.chance.choice(['2m', '5m', '10m'])}:{step}]{self.modifiers()}"

    def any_range(self, depth):
        """A range of gauges, or what a subquery made of something."""
        if depth > 0 and self.subqueries < 1 and self.chance.random() < 0.25:
            self.subqueries += 1
            return self.subquery(f"({self.vector(depth - 1)})")
        return self.range()

    # Scalars.

    def number(self):
        return self.chance.choice(["0", "1", "2", "0.5", "-1", "3.25", "100", "1e3", "-7.5", "Inf", "NaN"])

    def scalar(self, depth):
        if depth <= 0:
            return self.chance.choice([self.number(), self.number(), "pi()", "time()"])
        return self.pick(
            (4, self.number),
            (1, lambda: f"scalar({self.vector(depth - 1)})"),
            (1, lambda: f"({self.scalar(depth - 1)} {self.chance.choice(['+', '-', '*', '/'])} {self.scalar(depth - 1)})"),
            (1, lambda: f"({self.number()} {self.chance.choice(['<', '>', '<=', '>=', '==', '!='])} bool {self.number()})"),
            (1, lambda: f"-{self.scalar(depth - 1)}"),
        )

    # Vectors.

    def vector(self, depth):
        if depth <= 0:
            return self.selector()
        return self.pick(
            (2, self.selector),
            (4, lambda: self.rate(depth)),
            (4, lambda: self.over_time(depth)),
            (4, lambda: self.aggregation(depth)),
            (2, lambda: self.with_scalar(depth)),
            (3, lambda: self.between(depth)),
            (2, lambda: self.sets(depth)),
            (2, lambda: f"{self.chance.choice(MATH)}({self.vector(depth - 1)})"),
            (1, lambda: f"{self.chance.choice(['ceil', 'floor', 'round'])}({self.selector()})"),
            (1, lambda: f"round({self.selector()}, {self.chance.choice(['0.5', '10', '0.25'])})"),
            (1, lambda: self.clamp(depth)),
            (1, lambda: self.relabel(depth)),
            (1, self.quantile_of_histogram),
            (1, lambda: f"{self.chance.choice(DATES)}({self.chance.choice(['clock', 'clock + 86400 * 31', 'vector(time())', ''])})"),
            (1, lambda: f"timestamp({self.selector(both=False)})"),
            (1, lambda: f"vector({self.scalar(depth - 1)})"),
            (1, lambda: f"-{self.selector()}"),
            (1, lambda: f"({self.vector(depth - 1)})"),
        )

    def rate(self, depth):
        kind = self.chance.random()
        if kind < 0.5:
            return f"{self.chance.choice(['rate', 'increase', 'irate', 'resets'])}({self.range(COUNTERS)})"
        if kind < 0.6 and self.subqueries < 1:
            self.subqueries += 1
            return f"{self.chance.choice(['rate', 'increase', 'resets'])}({self.subquery(self.chance.choice(COUNTERS) + self.matchers())})"
        if kind < 0.68:
            return f"predict_linear({self.range(modifiers=False)}, {self.chance.choice(['60', '3600', '-600'])})"
        return f"{self.chance.choice(['delta', 'idelta', 'deriv', 'changes'])}({self.any_range(depth)})"

    def over_time(self, depth):
        if self.chance.random() < 0.1:
            return f"absent_over_time({self.range()})"
        if self.chance.random() < 0.15:
            return f"quantile_over_time({self.chance.choice(['0', '0.1', '0.5', '0.9', '1', '1.5', '-1', 'NaN'])}, {self.any_range(depth)})"
        function = self.chance.choice(OVER_TIME)
        return f"{function}_over_time({self.range(FINITE) if function in ('stddev', 'stdvar') else self.any_range(depth)})"

    def grouping(self):
        labels = self.chance.sample([*LABELS, "missing"], self.chance.randrange(0, 3))
        return self.chance.choice(["", f" by ({', '.join(labels)})", f" without ({', '.join(labels)})"])

    def aggregation(self, depth):
        inner, grouping = self.vector(depth - 1), self.grouping()
        kind = self.chance.random()
        if kind < 0.12:
            return f"{self.chance.choice(['topk', 'bottomk'])}{grouping} ({self.chance.choice(['1', '2', '3', '0', '100'])}, {self.distinct()})"
        if kind < 0.2:
            return f"quantile{grouping} ({self.chance.choice(['0', '0.25', '0.5', '0.99', '1', '-0.5', '2'])}, {inner})"
        if kind < 0.25:
            return f'count_values{grouping} ("{self.chance.choice(["value", "job"])}", {self.selector(["flags", "temp"])})'
        return self.aggregated(grouping, inner)

    def aggregated(self, grouping, inner):
        aggregation = self.chance.choice(AGGREGATIONS)
        return f"{aggregation}{grouping} ({self.distinct() if aggregation in ('stddev', 'stdvar') else inner})"

    def distinct(self):
        """Finite numbers that are hardly ever equal."""
        return self.pick(
            (1, lambda: self.selector(["temp", *COUNTERS])),
            (1, lambda: f"rate({self.range(COUNTERS)})"),
            (1, lambda: f"avg_over_time({self.range(['temp', *COUNTERS])})"),
            (1, lambda: f"sum by (job, instance) ({self.selector(['temp', *COUNTERS])})"),
        )

    def with_scalar(self, depth):
        scalar = self.scalar(depth - 2)
        if self.chance.random() < 0.3:
            operator = self.chance.choice(["==", "!=", "%", "^"])
            left, right = self.selector(), self.number()
        else:
            operator = self.chance.choice(["+", "-", "*", "/", "<", ">", "<=", ">="])
            left, right = self.vector(depth - 1), scalar
        if self.chance.random() < 0.3:
            left, right = right, left
        bool_ = " bool" if operator in ("==", "!=", "<", ">", "<=", ">=") and self.chance.random() < 0.4 else ""
        return f"({left} {operator}{bool_} {right})"

    def between(self, depth):
        """Two vectors that mostly match each other."""
        operator = self.chance.choice(["+", "-", "*", "/", "<", ">", "<=", ">="])
        bool_ = " bool" if operator in ("<", ">", "<=", ">=") and self.chance.random() < 0.4 else ""
        kind = self.chance.random()
        if kind < 0.4:
            # The same series on both sides.
            name = self.chance.choice(SIMPLE)
            sides = [name + self.matchers() + self.modifiers() for _ in range(2)]
            return f"{sides[0]} {operator}{bool_} {sides[1]}"
        if kind < 0.6:
            labels = ", ".join(self.chance.sample(["job", "instance"], self.chance.randrange(1, 3)))
            sides = [self.aggregated(f" by ({labels})", self.vector(depth - 1)) for _ in range(2)]
            return f"{sides[0]} {operator}{bool_} on ({labels}) {sides[1]}"
        if kind < 0.85:
            many = self.vector(depth - 1)
            one, copied = self.chance.choice([("build_info", "version"), ("build_info", ""), (f"max by (job, instance) ({self.selector()})", "")])
            if self.chance.random() < 0.5:
                return f"{many} {operator}{bool_} on (job, instance) group_left ({copied}) {one}"
            return f"{one} {operator}{bool_} on (job, instance) group_right ({copied}) {many}"
        return f"{self.vector(depth - 1)} {operator}{bool_} ignoring (zone, code) {self.vector(depth - 1)}"

    def sets(self, depth):
        matching = self.chance.choice(["", "", " on (job)", " ignoring (code)", " on ()", " on (job, instance)"])
        return f"({self.vector(depth - 1)} {self.chance.choice(['and', 'or', 'unless'])}{matching} {self.vector(depth - 1)})"

    def clamp(self, depth):
        inner = self.vector(depth - 1)
        return self.chance.choice([f"clamp({inner}, {self.number()}, {self.number()})", f"clamp_min({inner}, {self.number()})", f"clamp_max({inner}, {self.number()})"])

    def relabel(self, depth):
        if self.chance.random() < 0.5:
            return f'label_join({self.vector(depth - 1)}, "{self.chance.choice(["all", "job"])}", "-", "job", "instance")'
        target, replacement = self.chance.choice([("short", "$1"), ("zone", "is-$1"), ("job", "${1}"), ("code", "")])
        return f'label_replace({self.vector(depth - 1)}, "{target}", "{replacement}", "{self.chance.choice(LABELS)}", "{self.chance.choice(["(.*)", "i(.)", "(n|s).*", "x"])}")'

    def quantile_of_histogram(self):
        q = self.chance.choice(["0", "0.1", "0.5", "0.9", "0.99", "1", "-1", "2"])
        buckets = self.chance.choice(
            [
                "latency_bucket",
                f"rate({self.range(['latency_bucket'])})",
                f"sum by (le) (rate({self.range(['latency_bucket'])}))",
                f"sum by (job, le) (increase({self.range(['latency_bucket'])}))",
            ]
        )
        return f"histogram_quantile({q}, {buckets})"

    def native(self, depth):
        """What Prometheus 2.42 can do with native histograms, and as today."""
        counter = self.pick(
            (2, lambda: f"{self.chance.choice(['rate', 'increase'])}({self.range(['native'])})"),
            (1, lambda: self.selector(["native"])),
        )
        return self.pick(
            (2, lambda: counter),
            (2, lambda: f"sum{self.grouping()} ({counter})"),
            (2, lambda: f"{self.chance.choice(['histogram_count', 'histogram_sum'])}({self.chance.choice([counter, f'sum by (job) ({counter})'])})"),
            (1, lambda: f"{self.chance.choice(['count', 'group'])}{self.grouping()} ({counter})"),
            (1, lambda: f"{self.chance.choice(['count', 'present'])}_over_time({self.range(['native'])})"),
        )
