//! What Signalbox says about itself: names, metrics registry, logs and spans
