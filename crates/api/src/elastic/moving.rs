//! Elasticsearch's `MovingFunctions`, and the models of its older `moving_avg`: a number of some numbers in a row.

use serde_json::{Map, Value};

/// A function of numbers in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Max,
    Min,
    Sum,
    Deviation,
    Average,
    LinearAverage,
    Ewma(f64),
    /// Smooths the level by the first number and the trend by the second.
    Holt(f64, f64),
    HoltWinters(Seasons),
}

/// Of Holt and Winters: level, trend, and what comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seasons {
    alpha: f64,
    beta: f64,
    gamma: f64,
    /// Numbers of a season, at least 1.
    period: usize,
    is_multiplicative: bool,
}

/// What is added to numbers that are divided by, as zero is none.
const PADDING: f64 = 1e-10;

impl Function {
    /// As a script of `moving_fn` has it.
    pub(super) fn read(script: &str) -> Option<Self> {
        let call: String = script.trim().trim_end_matches(';').chars().filter(|character| !character.is_whitespace()).collect();
        let (name, arguments) = call.strip_prefix("MovingFunctions.")?.strip_suffix(')')?.split_once('(')?;
        let settings: Vec<&str> = arguments.split(',').skip(1).collect();
        match (name, arguments, settings.as_slice()) {
            ("max", "values", _) => Some(Self::Max),
            ("min", "values", _) => Some(Self::Min),
            ("sum", "values", _) => Some(Self::Sum),
            ("unweightedAvg", "values", _) => Some(Self::Average),
            ("linearWeightedAvg", "values", _) => Some(Self::LinearAverage),
            // Around the mean of the same values, which is the usual second argument.
            ("stdDev", "values,MovingFunctions.unweightedAvg(values)", _) => Some(Self::Deviation),
            _ if !arguments.starts_with("values,") => None,
            ("ewma", _, [alpha]) => factor(alpha).map(Self::Ewma),
            ("holt", _, [alpha, beta]) => Some(Self::Holt(factor(alpha)?, factor(beta)?)),
            ("holtWinters", _, [alpha, beta, gamma, period, is_multiplicative]) => {
                let (alpha, beta, gamma, period) = (factor(alpha)?, factor(beta)?, factor(gamma)?, seasons(period)?);
                Some(Self::HoltWinters(Seasons { alpha, beta, gamma, period, is_multiplicative: is_multiplicative.parse().ok()? }))
            }
            _ => None,
        }
    }

    /// As `model` and `settings` of `moving_avg` have it, with the defaults of Elasticsearch.
    pub(super) fn of_model(body: &Map<String, Value>) -> Result<Self, String> {
        if body.get("minimize").is_some_and(|minimize| *minimize == true || *minimize == "true") {
            return Err("[minimize] is not supported: name the [settings]".to_owned());
        }
        let setting = |name: &str| body.get("settings").and_then(|settings| settings.get(name));
        let number = |name: &str, default: f64| match setting(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => factor(&text(value)).ok_or_else(|| format!("[{name}] wants a number from 0 to 1")),
        };
        match body.get("model").and_then(Value::as_str).unwrap_or("simple") {
            "simple" => Ok(Self::Average),
            "linear" => Ok(Self::LinearAverage),
            "ewma" => Ok(Self::Ewma(number("alpha", 0.3)?)),
            "holt" => Ok(Self::Holt(number("alpha", 0.3)?, number("beta", 0.1)?)),
            "holt_winters" => {
                let period = setting("period").map_or(Some(1), |period| seasons(&text(period))).ok_or("[period] wants a number of at least 1")?;
                let is_multiplicative = match setting("type").and_then(Value::as_str).unwrap_or("add") {
                    "add" => false,
                    "mult" => true,
                    other => return Err(format!("unknown [type] [{other}]: want add or mult")),
                };
                let (alpha, beta, gamma) = (number("alpha", 0.3)?, number("beta", 0.1)?, number("gamma", 0.3)?);
                Ok(Self::HoltWinters(Seasons { alpha, beta, gamma, period, is_multiplicative }))
            }
            other => Err(format!("unknown [model] [{other}]: want simple, linear, ewma, holt or holt_winters")),
        }
    }

    /// Whether a window is long enough.
    pub(super) fn check(self, window: usize) -> Result<(), String> {
        match self {
            Self::HoltWinters(Seasons { period, .. }) if period.saturating_mul(2) > window => {
                Err(format!("[window] wants at least twice the [period] of {period}, found {window}"))
            }
            _ => Ok(()),
        }
    }

    /// Of these values; `None` if there is no such number.
    pub(super) fn of(self, values: &[f64]) -> Option<f64> {
        let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
        let (Some(first), rest) = (values.first(), values.get(1..).unwrap_or_default()) else {
            return (self == Self::Sum).then_some(0.0);
        };
        Some(match self {
            Self::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Sum => sum,
            Self::Average => sum / count,
            Self::Deviation => (values.iter().map(|value| (value - sum / count).powi(2)).sum::<f64>() / count).sqrt(),
            Self::LinearAverage => {
                // Elasticsearch's weights begin with 1 and its divisor, too.
                let weighted = values
                    .iter()
                    .zip(1_u32..)
                    .fold((0.0, 1.0), |(total, weights), (value, weight)| (total + value * f64::from(weight), weights + f64::from(weight)));
                weighted.0 / weighted.1
            }
            Self::Ewma(alpha) => rest.iter().fold(*first, |average, value| value * alpha + average * (1.0 - alpha)),
            Self::Holt(alpha, beta) => {
                let smooth = |(level, trend): (f64, f64), value: &f64| {
                    let next = alpha * value + (1.0 - alpha) * (level + trend);
                    (next, beta * (next - level) + (1.0 - beta) * trend)
                };
                rest.iter().fold((*first, 0.0), smooth).0
            }
            Self::HoltWinters(seasons) => return seasons.of(values),
        })
    }
}

impl Seasons {
    /// The next value; `None` before there are two seasons.
    fn of(self, values: &[f64]) -> Option<f64> {
        let Self { alpha, beta, gamma, period, is_multiplicative } = self;
        let padded: Vec<f64> = values.iter().map(|value| if is_multiplicative { value + PADDING } else { *value }).collect();
        let (first, second) = (padded.get(..period)?, padded.get(period..period.checked_mul(2)?)?);
        let length = period as f64;
        let mut level = first.iter().sum::<f64>() / length;
        let mut trend = first.iter().zip(second).map(|(then, now)| (now - then) / length).sum::<f64>() / length;
        let (mut last_level, mut last_trend) = (level, 0.0);
        let mut seasonal: Vec<f64> = if level == 0.0 { vec![0.0; period] } else { first.iter().map(|value| value / level).collect() };
        for value in padded.get(period..)? {
            let before = *seasonal.get(seasonal.len().checked_sub(period)?)?;
            let freed = if is_multiplicative { value / before } else { value - before };
            level = alpha * freed + (1.0 - alpha) * (last_level + last_trend);
            trend = beta * (level - last_level) + (1.0 - beta) * last_trend;
            let now = if is_multiplicative { value / (last_level + last_trend) } else { value - (last_level - last_trend) };
            seasonal.push(gamma * now + (1.0 - gamma) * before);
            (last_level, last_trend) = (level, trend);
        }
        let season = *seasonal.get(values.len().checked_sub(period)?)?;
        Some(if is_multiplicative { (level + trend) * season } else { level + trend + season }).filter(|value| value.is_finite())
    }
}

/// A weight.
fn factor(text: &str) -> Option<f64> {
    text.parse().ok().filter(|factor| (0.0..=1.0).contains(factor))
}

/// Numbers of a season.
fn seasons(text: &str) -> Option<usize> {
    text.parse().ok().filter(|period| *period > 0)
}

/// Numbers come as text as well, from forms.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn functions_are_those_of_elasticsearch() {
        let values = [2.0, 4.0, 6.0];
        for (script, want) in [
            ("MovingFunctions.unweightedAvg(values)", 4.0),
            ("MovingFunctions.linearWeightedAvg( values );", 4.0),
            ("MovingFunctions.stdDev(values, MovingFunctions.unweightedAvg(values))", (8.0_f64 / 3.0).sqrt()),
            ("MovingFunctions.ewma(values, 0.5)", 4.5),
            // Level 3, trend 0.5; then 0.5 * 6 + 0.5 * 3.5.
            ("MovingFunctions.holt(values, 0.5, 0.5)", 4.75),
        ] {
            assert_eq!(Function::read(script).unwrap().of(&values), Some(want), "{script}");
        }
        for bad in [
            "",
            "values",
            "MovingFunctions.holt(values, 1, 2)",
            "MovingFunctions.ewma(values, 2)",
            "MovingFunctions.holtWinters(values, 1, 1, 1, 0, true)",
            "return 1",
        ] {
            assert_eq!(Function::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn seasons_come_back() {
        let waves = [10.0, 20.0, 10.0, 20.0, 10.0, 20.0];
        let times = Function::read("MovingFunctions.holtWinters(values, 0.5, 0.0, 0.5, 2, true)").unwrap();
        assert!((times.of(&waves).unwrap() - 10.0).abs() < 1.0, "{:?}", times.of(&waves));
        assert_eq!(times.of(&waves[..3]), None);
        assert!(times.check(3).is_err() && times.check(4).is_ok());
    }

    #[test]
    fn models_have_their_defaults() {
        let model = |body: Value| Function::of_model(body.as_object().unwrap());
        assert_eq!(model(json!({})), Ok(Function::Average));
        assert_eq!(model(json!({ "model": "ewma" })), Ok(Function::Ewma(0.3)));
        assert_eq!(model(json!({ "model": "holt", "settings": { "beta": 1 } })), Ok(Function::Holt(0.3, 1.0)));
        let winters = Seasons { alpha: 0.3, beta: 0.1, gamma: 0.3, period: 7, is_multiplicative: true };
        assert_eq!(model(json!({ "model": "holt_winters", "settings": { "type": "mult", "period": "7" } })), Ok(Function::HoltWinters(winters)));
        for bad in [json!({ "model": "neural" }), json!({ "minimize": true }), json!({ "model": "ewma", "settings": { "alpha": 3 } })] {
            assert!(model(bad).is_err());
        }
    }
}
