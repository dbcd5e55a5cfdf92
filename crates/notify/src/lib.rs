//! Delivers one message through one channel
