//! Medians, and ratios between what was measured in the same round.
//!
//! A ratio is the median of the ratios round by round, not the ratio of two medians: what disturbs the machine
//! for some seconds then disturbs both sides of one ratio, and not one side of the result.

/// The middle value; the mean of the two middle ones when there is an even number. `None` without values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(middle - 1).map(|lower| f64::midpoint(*lower, upper))
}

/// A median with the lowest and the highest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        Some(Self {
            median: median(values)?,
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// `values` over `baseline`, round by round; a round that either side lacks is left out.
pub(crate) fn paired_ratio(values: &[Option<f64>], baseline: &[Option<f64>]) -> Option<Spread> {
    let ratios: Vec<f64> = values
        .iter()
        .zip(baseline)
        .filter_map(|(value, base)| Some((*value)? / (*base)?))
        .filter(|ratio| ratio.is_finite())
        .collect();
    Spread::of(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_disturbed_round_does_not_move_a_paired_ratio() {
        // The machine was three times slower in the second round, for both.
        let ours = [Some(10.0), Some(30.0), Some(10.0)];
        let theirs = [Some(20.0), Some(60.0), Some(20.0)];

        let ratio = paired_ratio(&ours, &theirs).unwrap();

        assert_eq!(ratio, Spread { median: 0.5, lowest: 0.5, highest: 0.5 });
    }

    #[test]
    fn a_round_that_one_side_lacks_is_left_out() {
        let ratio = paired_ratio(&[Some(1.0), None, Some(9.0)], &[Some(2.0), Some(1.0), None]).unwrap();

        assert_eq!(ratio.median, 0.5);
        assert_eq!(paired_ratio(&[None], &[Some(1.0)]), None);
    }
}
