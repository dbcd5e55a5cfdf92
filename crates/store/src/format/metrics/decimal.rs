//! Values as decimals: `mantissa / divisor`, bit for bit, and where sums of decimals have gathered errors of rounding, a small
//! rest beside.

/// Largest exponent of a decimal; `10^18` is exact as a double, and so the division rounds once.
const EXPONENT_MAX: usize = 18;
/// Largest exponent of a decimal with a rest.
const NEAR_EXPONENT_MAX: usize = 15;
/// Mantissas up to here are exact as doubles.
const MANTISSA_MAX: i64 = 1 << 53;
/// A rest is at most this part of its value: about a thousand errors of rounding that point in one direction.
const REST_MAX: f64 = 1.0 / (1u64 << 43) as f64;
/// Values that are tried before all are.
const TRIED: usize = 8;
/// Bits that another divisor costs: its entry, its run, and those of the base.
const DIVISOR_BITS: f64 = 128.0;
/// Bits of a factor of five.
const LOG2_5: f64 = std::f64::consts::LOG2_10 - 1.0;
/// Bits that a value with a rest must save.
const REST_GAIN_BITS: u32 = 6;

const POWERS: [f64; EXPONENT_MAX + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];
const FIVES: [i64; EXPONENT_MAX + 1] = {
    let (mut fives, mut at) = ([1; EXPONENT_MAX + 1], 1);
    while at <= EXPONENT_MAX {
        fives[at] = fives[at - 1] * 5;
        at += 1;
    }
    fives
};

/// Appends the values of decimals of one base and divisor; `None` if the divisor is none that is ever written.
pub(crate) fn extend(values: &mut Vec<f64>, mantissas: &[i64], base: i64, divisor: f64) -> Option<()> {
    let whole = |mantissa: &i64| mantissa.wrapping_add(base) as f64;
    match divisor {
        1.0 => values.extend(mantissas.iter().map(whole)),
        _ if divisor > 0.0 && divisor.is_finite() => values.extend(mantissas.iter().map(|mantissa| whole(mantissa) / divisor)),
        _ => return None,
    }
    Some(())
}

/// What mantissas are divided by: `2^twos * 5^fives`. `twos` may be negative, for values that are multiples of a power of two.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Divisor {
    twos: i32,
    fives: i32,
}

impl Divisor {
    fn of_exponent(exponent: usize) -> Self {
        Self { twos: exponent as i32, fives: exponent as i32 }
    }

    /// As a double, exact.
    pub(crate) fn value(self) -> f64 {
        FIVES[self.fives as usize] as f64 * 2f64.powi(self.twos)
    }

    /// Bits that mantissas are longer under this divisor than under another.
    fn bits_above(self, other: Self) -> f64 {
        f64::from(self.twos - other.twos) + f64::from(self.fives - other.fives) * LOG2_5
    }

    /// What a mantissa under another divisor is under this one, if that is whole.
    fn convert(self, mantissa: i64, from: Self) -> Option<i64> {
        let (twos, fives) = (self.twos - from.twos, self.fives - from.fives);
        let by_fives = if fives < 0 { Some(mantissa / FIVES[-fives as usize]) } else { mantissa.checked_mul(FIVES[fives as usize]) };
        let by_twos = |mantissa: i64| if twos < 0 { Some(mantissa >> -twos) } else { mantissa.checked_mul(1i64.checked_shl(twos as u32)?) };
        by_fives.and_then(by_twos).filter(|mantissa| (-MANTISSA_MAX..=MANTISSA_MAX).contains(mantissa))
    }
}

/// The mantissas of values under one divisor.
#[derive(Debug, Default)]
pub(crate) struct Decimals {
    pub(crate) divisor: Divisor,
    /// By value; `None` for what has no decimal form at all: NaN, infinities, minus zero.
    pub(crate) mantissas: Vec<Option<i64>>,
    /// What the decimals lack of the values; empty if they are exact.
    pub(crate) rests: Vec<f64>,
}

impl Decimals {
    /// Finds a divisor under which all values that have a decimal form are exact, or nearly so where that is much shorter than
    /// the doubles. `before` is the divisor of the values before these of the same series. `false` if there is none: then the
    /// values rest as doubles.
    pub(crate) fn find(&mut self, values: &[f64], before: Option<Divisor>) -> bool {
        self.rests.clear();
        let Some(exponent) = self.find_exact(values).or_else(|| self.find_near(values)) else { return false };
        self.choose_divisor(exponent, before);
        true
    }

    /// The smallest exponent under which all values are exact.
    fn find_exact(&mut self, values: &[f64]) -> Option<usize> {
        let mut exponent = 0;
        'again: loop {
            self.mantissas.clear();
            let mut has_any = false;
            for value in values {
                if is_special(*value) {
                    self.mantissas.push(None);
                    continue;
                }
                has_any = true;
                let Some(mantissa) = exact(*value, exponent) else {
                    exponent = (exponent + 1..=EXPONENT_MAX).find(|exponent| exact(*value, *exponent).is_some())?;
                    continue 'again;
                };
                self.mantissas.push(Some(mantissa));
            }
            return has_any.then_some(exponent);
        }
    }

    /// The smallest exponent under which all values are nearly exact, if that takes less room than the doubles.
    fn find_near(&mut self, values: &[f64]) -> Option<usize> {
        let plain = |value: &&f64| !is_special(**value);
        let larger = |from: usize, value: f64| (from..=NEAR_EXPONENT_MAX).find(|exponent| near(value, *exponent).is_some());
        let mut exponent = values.iter().filter(plain).take(TRIED).try_fold(0, |exponent, value| larger(exponent, *value))?;
        'again: loop {
            self.mantissas.clear();
            self.rests.clear();
            for value in values {
                if is_special(*value) {
                    self.mantissas.push(None);
                    self.rests.push(*value);
                    continue;
                }
                let Some((mantissa, rest)) = near(*value, exponent) else {
                    exponent = larger(exponent + 1, *value)?;
                    continue 'again;
                };
                self.mantissas.push(Some(mantissa));
                self.rests.push(rest);
            }
            return self.is_near_worth_it(values).then_some(exponent);
        }
    }

    /// Compares the bits that change from value to value: of mantissas and rests, and of doubles.
    fn is_near_worth_it(&self, values: &[f64]) -> bool {
        let (mut least, mut most, mut previous) = (i64::MAX, i64::MIN, None);
        for mantissa in self.mantissas.iter().flatten() {
            if let Some(previous) = previous.replace(*mantissa) {
                (least, most) = (least.min(mantissa - previous), most.max(mantissa - previous));
            }
        }
        let mantissa_bits = if least > most { 0 } else { 64 - most.abs_diff(least).leading_zeros() };
        let plain = || values.iter().zip(&self.rests).filter(|(value, _)| !is_special(**value));
        let errors = plain().map(|(value, rest)| (rest / (value * f64::EPSILON)).abs()).fold(0.0, f64::max);
        let rest_bits = 64 - (errors as u64).leading_zeros() + 2;
        let (mut changed, mut previous) = (0, None);
        for (value, _) in plain() {
            if let Some(previous) = previous.replace(value.to_bits()) {
                changed |= value.to_bits() ^ previous;
            }
        }
        let double_bits = if changed == 0 { 0 } else { 64 - changed.leading_zeros() - changed.trailing_zeros() };
        mantissa_bits + rest_bits + REST_GAIN_BITS < double_bits
    }

    /// Takes out of the mantissas the powers of two and five that all have in common, if that is worth another divisor.
    fn choose_divisor(&mut self, exponent: usize, before: Option<Divisor>) {
        let found = Divisor::of_exponent(exponent);
        let (mut twos, mut fives, mut changes, mut previous) = (63, exponent, 0u32, None);
        for mantissa in self.mantissas.iter().flatten() {
            if previous.replace(*mantissa).is_some_and(|previous| previous != *mantissa) {
                changes += 1;
            }
            if *mantissa != 0 {
                twos = twos.min(mantissa.trailing_zeros());
                while mantissa % FIVES[fives] != 0 {
                    fives -= 1;
                }
            }
        }
        let shortest = Divisor { twos: found.twos - (twos as i32).min(53), fives: found.fives - fives as i32 };
        let before = before.unwrap_or(found);
        let kept = Divisor { twos: before.twos.max(shortest.twos), fives: before.fives.max(shortest.fives) };
        let choices = if kept.bits_above(shortest) * f64::from(changes) < DIVISOR_BITS { [kept, shortest] } else { [shortest, shortest] };
        self.divisor = choices.into_iter().find(|choice| self.convert(found, *choice)).unwrap_or(found);
    }

    /// Converts all mantissas or none.
    fn convert(&mut self, from: Divisor, to: Divisor) -> bool {
        if from != to && !self.mantissas.iter().flatten().all(|mantissa| to.convert(*mantissa, from).is_some()) {
            return false;
        }
        if from != to {
            self.mantissas.iter_mut().flatten().for_each(|mantissa| *mantissa = to.convert(*mantissa, from).unwrap_or(*mantissa));
        }
        true
    }
}

fn is_special(value: f64) -> bool {
    !value.is_finite() || (value == 0.0 && value.is_sign_negative())
}

/// The mantissa, if dividing it gives back the very bits.
fn exact(value: f64, exponent: usize) -> Option<i64> {
    let power = POWERS[exponent];
    let mantissa = rounded(value * power);
    let same = (mantissa as f64 / power).to_bits() == value.to_bits();
    (same && (-MANTISSA_MAX..=MANTISSA_MAX).contains(&mantissa)).then_some(mantissa)
}

/// The nearest mantissa and what it lacks, if that is little and adding it gives back the very bits.
fn near(value: f64, exponent: usize) -> Option<(i64, f64)> {
    let power = POWERS[exponent];
    let mantissa = rounded(value * power);
    let decimal = mantissa as f64 / power;
    let rest = value - decimal;
    let same = (decimal + rest).to_bits() == value.to_bits();
    (same && rest.abs() <= value.abs() * REST_MAX && (-MANTISSA_MAX..=MANTISSA_MAX).contains(&mantissa)).then_some((mantissa, rest))
}

/// Rounds half away from zero; `f64::round` is a call on plain x86-64. Callers check the result, so that how it rounds is harmless.
fn rounded(scaled: f64) -> i64 {
    (scaled + 0.5f64.copysign(scaled)) as i64
}

#[cfg(test)]
mod tests;
