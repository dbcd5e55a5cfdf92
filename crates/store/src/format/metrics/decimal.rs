//! Values as decimals: `mantissa / 10^exponent`, bit for bit, where a short decimal form exists.

/// Largest exponent; `10^18` is exact as a double, and so the division rounds once.
pub(crate) const EXPONENT_MAX: usize = 18;
/// Mantissas up to here are exact as doubles.
const MANTISSA_MAX: i64 = 1 << 53;

const POWERS: [f64; EXPONENT_MAX + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Appends the values of decimals of one exponent; `None` if the exponent is none that is ever written.
pub(crate) fn extend(values: &mut Vec<f64>, mantissas: &[i64], exponent: i32) -> Option<()> {
    let power = *POWERS.get(usize::try_from(exponent).ok()?)?;
    match exponent {
        0 => values.extend(mantissas.iter().map(|mantissa| *mantissa as f64)),
        _ => values.extend(mantissas.iter().map(|mantissa| *mantissa as f64 / power)),
    }
    Some(())
}

/// The mantissas of values under one exponent.
#[derive(Debug, Default)]
pub(crate) struct Decimals {
    pub(crate) exponent: i32,
    /// By value; `None` for what has no decimal form at all: NaN, infinities, minus zero.
    pub(crate) mantissas: Vec<Option<i64>>,
}

impl Decimals {
    /// Finds the smallest exponent under which all values that have a decimal form are exact. `false` if there is none: then
    /// the values rest as doubles.
    pub(crate) fn find(&mut self, values: &[f64]) -> bool {
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
                    match (exponent + 1..=EXPONENT_MAX).find(|exponent| exact(*value, *exponent).is_some()) {
                        Some(larger) => exponent = larger,
                        None => return false,
                    }
                    continue 'again;
                };
                self.mantissas.push(Some(mantissa));
            }
            self.exponent = exponent as i32;
            return has_any;
        }
    }
}

fn is_special(value: f64) -> bool {
    !value.is_finite() || (value == 0.0 && value.is_sign_negative())
}

/// The mantissa, if dividing it gives back the very bits.
fn exact(value: f64, exponent: usize) -> Option<i64> {
    let power = POWERS[exponent];
    let scaled = value * power;
    // Rounds half away from zero; `f64::round` is a call on plain x86-64. The check below makes the rounding harmless.
    let mantissa = (scaled + 0.5f64.copysign(scaled)) as i64;
    let same = (mantissa as f64 / power).to_bits() == value.to_bits();
    (same && (-MANTISSA_MAX..=MANTISSA_MAX).contains(&mantissa)).then_some(mantissa)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn decimals_come_back_bit_for_bit_and_the_rest_is_refused() {
        let cases: &[(&[f64], Option<i32>)] = &[
            (&[1.0, 2.0, -3.0, 9_007_199_254_740_992.0], Some(0)),
            (&[0.1, 12.25, -7.0], Some(2)),
            (&[0.1 + 0.2], None),
            (&[0.005, f64::NAN, f64::INFINITY, -0.0], Some(3)),
            (&[1e300], None),
            (&[f64::MIN_POSITIVE], None),
            (&[std::f64::consts::PI * 1e5], Some(10)),
            (&[f64::NAN], None),
            (&[-0.0], None),
        ];
        for (values, want) in cases {
            let mut decimals = Decimals::default();
            let found = decimals.find(values);
            if found {
                for (mantissa, expected) in decimals.mantissas.iter().zip(*values) {
                    match mantissa {
                        Some(mantissa) => {
                            let mut values = Vec::new();
                            extend(&mut values, &[*mantissa], decimals.exponent).unwrap();
                            assert_eq!(values[0].to_bits(), expected.to_bits());
                        }
                        None => assert!(is_special(*expected)),
                    }
                }
            }
            if let Some(want) = want {
                assert!(found, "{values:?}");
                assert_eq!(decimals.exponent, *want, "{values:?}");
            } else {
                assert!(!found, "{values:?}: {decimals:?}");
            }
        }
    }
}
