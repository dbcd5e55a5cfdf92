//! Arithmetic in the words of Painless: `params.total / params.count * 100`, `Math.max(params.a, 0)`.

/// Bytes of a script.
const BYTES_MAX: usize = 4 << 10;
/// Depth of parentheses, signs and calls.
const NESTING_MAX: usize = 64;

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    Name(String),
    Negated(Box<Node>),
    Pair(char, Box<[Node; 2]>),
    Call(Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Function {
    Abs,
    Ceil,
    Floor,
    Log,
    Log10,
    Max,
    Min,
    Pow,
    Round,
    Sqrt,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// Why it is none that is understood.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let wanted = || "[script] wants arithmetic over [params.<name>]".to_owned();
        if text.len() > BYTES_MAX {
            return Err(format!("[script] is longer than {BYTES_MAX} bytes"));
        }
        let text = text.trim().trim_end_matches(';');
        let mut reader = Reader { rest: text.strip_prefix("return ").unwrap_or(text) };
        let node = reader.sum(0).ok_or_else(wanted)?;
        if reader.rest.trim().is_empty() { Ok(Self(node)) } else { Err(wanted()) }
    }

    /// Names of parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let (mut names, mut left) = (Vec::new(), vec![&self.0]);
        while let Some(node) = left.pop() {
            match node {
                Node::Number(_) => {}
                Node::Name(name) => names.push(name.as_str()),
                Node::Negated(inner) => left.push(inner),
                Node::Pair(_, sides) => left.extend(sides.iter()),
                Node::Call(_, arguments) => left.extend(arguments),
            }
        }
        names.into_iter()
    }

    /// The number for these values of parameters.
    pub(super) fn of(&self, named: &[(&str, f64)]) -> f64 {
        value(&self.0, named)
    }
}

fn value(node: &Node, named: &[(&str, f64)]) -> f64 {
    let of = |node: &Node| value(node, named);
    match node {
        Node::Number(number) => *number,
        Node::Name(name) => named.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, number)| *number),
        Node::Negated(inner) => -of(inner),
        Node::Pair(operator, sides) => {
            let (left, right) = (of(&sides[0]), of(&sides[1]));
            match operator {
                '+' => left + right,
                '-' => left - right,
                '*' => left * right,
                '/' => left / right,
                _ => left % right,
            }
        }
        Node::Call(function, arguments) => {
            let argument = |at: usize| arguments.get(at).map_or(f64::NAN, of);
            match function {
                Function::Abs => argument(0).abs(),
                Function::Ceil => argument(0).ceil(),
                Function::Floor => argument(0).floor(),
                Function::Log => argument(0).ln(),
                Function::Log10 => argument(0).log10(),
                Function::Max => argument(0).max(argument(1)),
                Function::Min => argument(0).min(argument(1)),
                Function::Pow => argument(0).powf(argument(1)),
                // As Java does it: halves upwards.
                Function::Round => (argument(0) + 0.5).floor(),
                Function::Sqrt => argument(0).sqrt(),
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Takes one of some characters, if it is next.
    fn take(&mut self, wanted: &str) -> Option<char> {
        self.rest = self.rest.trim_start();
        let next = self.rest.chars().next().filter(|next| wanted.contains(*next))?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        word
    }

    fn pairs(&mut self, operators: &str, depth: usize, operand: fn(&mut Self, usize) -> Option<Node>) -> Option<Node> {
        let mut left = operand(self, depth)?;
        while let Some(operator) = self.take(operators) {
            left = Node::Pair(operator, Box::new([left, operand(self, depth)?]));
        }
        Some(left)
    }

    fn sum(&mut self, depth: usize) -> Option<Node> {
        self.pairs("+-", depth, Self::product)
    }

    fn product(&mut self, depth: usize) -> Option<Node> {
        self.pairs("*/%", depth, Self::operand)
    }

    fn operand(&mut self, depth: usize) -> Option<Node> {
        if depth >= NESTING_MAX {
            return None;
        }
        if let Some(sign) = self.take("+-") {
            let inner = self.operand(depth + 1)?;
            return Some(if sign == '-' { Node::Negated(Box::new(inner)) } else { inner });
        }
        if self.take("(").is_some() {
            let inner = self.sum(depth + 1)?;
            self.take(")")?;
            return Some(inner);
        }
        self.rest = self.rest.trim_start();
        if self.rest.starts_with(|next: char| next.is_ascii_digit() || next == '.') {
            let end = self.rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at(end);
            // 1.0f, 2L, 3d: numbers of Java.
            self.rest = rest.strip_prefix(|next: char| "fFdDlL".contains(next)).unwrap_or(rest);
            return number.parse().ok().map(Node::Number);
        }
        match self.word() {
            "params" => {
                if self.take("[").is_some() {
                    let quote = self.take("'\"")?;
                    let name = self.word().to_owned();
                    self.take(quote.encode_utf8(&mut [0; 4]))?;
                    self.take("]")?;
                    return Some(Node::Name(name));
                }
                self.take(".")?;
                Some(self.word()).filter(|name| !name.is_empty()).map(|name| Node::Name(name.to_owned()))
            }
            "Math" => {
                self.take(".")?;
                self.call(depth)
            }
            _ => None,
        }
    }

    fn call(&mut self, depth: usize) -> Option<Node> {
        let (function, wanted) = match self.word() {
            "abs" => (Function::Abs, 1),
            "ceil" => (Function::Ceil, 1),
            "floor" => (Function::Floor, 1),
            "log" => (Function::Log, 1),
            "log10" => (Function::Log10, 1),
            "max" => (Function::Max, 2),
            "min" => (Function::Min, 2),
            "pow" => (Function::Pow, 2),
            "round" => (Function::Round, 1),
            "sqrt" => (Function::Sqrt, 1),
            _ => return None,
        };
        self.take("(")?;
        let mut arguments = vec![self.sum(depth + 1)?];
        while self.take(",").is_some() {
            arguments.push(self.sum(depth + 1)?);
        }
        self.take(")")?;
        (arguments.len() == wanted).then_some(Node::Call(function, arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_computed_in_its_order() {
        let named = [("a", 6.0), ("b", 4.0), ("var1", 2.0)];
        for (text, want) in [
            ("params.a / params.b", 1.5),
            ("params.a + params.b * params.var1 - 1", 13.0),
            ("(params.a+params.b)*-params['var1']", -20.0),
            ("return params.a % 4;", 2.0),
            ("100.0f * params.b / (params.a - -2L)", 50.0),
            ("Math.max(params.a, Math.pow(params.b, 2)) + Math.round(2.5) + Math.abs(-1)", 20.0),
            (" 7 ", 7.0),
        ] {
            assert_eq!(Script::read(text).unwrap().of(&named), want, "{text}");
        }
        assert_eq!(Script::read("params.a / params.zero").unwrap().names().collect::<Vec<_>>().len(), 2);
    }

    #[test]
    fn what_is_no_arithmetic_is_refused() {
        let deep = format!("{}1{}", "(".repeat(100), ")".repeat(100));
        for bad in [
            "",
            "params",
            "params.",
            "params.a /",
            "1 2",
            "(1",
            "doc['x'].value",
            "params.a > 1 ? 1 : 0",
            "Math.sin(1)",
            "Math.max(1)",
            "1..2",
            "params['a]",
            &deep,
            &"-".repeat(5000),
        ] {
            assert!(Script::read(bad).is_err(), "{bad}");
        }
    }
}
