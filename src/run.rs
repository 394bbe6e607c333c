//! One run: script and settings in, outcome out.
