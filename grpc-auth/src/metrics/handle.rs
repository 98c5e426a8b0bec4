//! Handles on metrics: those of the crate `metrics`, or ones that do nothing without the feature.

#[cfg(feature = "metrics")]
use metrics::{Key, KeyName, Label, Level, Metadata, with_recorder};

#[cfg(feature = "metrics")]
pub(super) use metrics::{Counter, Gauge, Histogram};
#[cfg(not(feature = "metrics"))]
pub(super) use off::{Counter, Gauge, Histogram};

/// What a metric is.
#[derive(Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nothing is recorded"))]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Seconds,
}

#[cfg(feature = "metrics")]
static METADATA: Metadata<'static> = Metadata::new("grpc_auth", Level::INFO, None);

#[cfg(feature = "metrics")]
impl Metric {
    pub(super) fn describe(&self) {
        let (name, help) = (KeyName::from_const_str(self.name), self.help.into());
        let unit = Some(match self.unit {
            Unit::Count => metrics::Unit::Count,
            Unit::Seconds => metrics::Unit::Seconds,
        });
        with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(name, unit, help),
            Kind::Gauge => recorder.describe_gauge(name, unit, help),
            Kind::Histogram => recorder.describe_histogram(name, unit, help),
        });
    }

    /// With the values of its labels, in their order.
    pub(super) fn counter(&self, values: &[&str]) -> Counter {
        with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    pub(super) fn gauge(&self, values: &[&str]) -> Gauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    pub(super) fn histogram(&self, values: &[&str]) -> Histogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }

    fn key(&self, values: &[&str]) -> Key {
        let labels = self.labels.iter().zip(values);
        let labels: Vec<_> =
            labels.map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Key::from_parts(self.name, labels)
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use super::Metric;

    #[derive(Debug)]
    pub(crate) struct Counter;
    #[derive(Debug)]
    pub(crate) struct Gauge;
    #[derive(Debug)]
    pub(crate) struct Histogram;

    impl Metric {
        pub(crate) fn describe(&self) {}

        pub(crate) fn counter(&self, _: &[&str]) -> Counter {
            Counter
        }

        pub(crate) fn gauge(&self, _: &[&str]) -> Gauge {
            Gauge
        }

        pub(crate) fn histogram(&self, _: &[&str]) -> Histogram {
            Histogram
        }
    }

    impl Counter {
        pub(crate) fn increment(&self, _: u64) {}
    }

    impl Gauge {
        pub(crate) fn set(&self, _: f64) {}

        pub(crate) fn increment(&self, _: f64) {}

        pub(crate) fn decrement(&self, _: f64) {}
    }

    impl Histogram {
        pub(crate) fn record(&self, _: std::time::Duration) {}
    }
}
