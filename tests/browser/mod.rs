//! What a person sees in Chromium, found as a screen reader finds it: by role and accessible name.
//!
//! A start of system and browser costs seconds, so each file here is one test function or two that share one, and the
//! features stand in it as steps named by what they hold.

mod account;
mod barriers;
mod chromium;
mod company;
mod conversation;
mod dashboard;
mod devtools;
mod entry;
mod files;
mod hands;
mod hostile;
mod interruptions;
mod journey;
mod long_room;
mod passkeys;
mod people;
mod report;
mod rooms;
mod tour;
mod window;
