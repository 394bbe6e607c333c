//! The simulated server, seen from outside.

mod agent;
mod clients;
mod faults;
mod freezes;
mod holdups;
mod in_process;
mod lists;
mod log;
mod messages;
mod names;
mod octostache;
mod packages;
mod permissions;
mod recurring_freezes;
mod rules;
mod sent_steps;
mod shapes;
mod shells;
mod shop;
mod step_templates;
mod steps;
mod strangers;
mod system_variables;
mod versions;
mod webhooks;
mod writes;
