//! What a person sees in Chromium, found as a screen reader finds it: by role and accessible name.

mod chromium;
mod devtools;
mod journey;
mod window;
