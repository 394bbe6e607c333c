//! How our functions in the place of Rhai's own are registered.

use rhai::FuncRegistration;

/// A function that may change its subject. `parameters` are what messages show: `text: &mut ImmutableString`.
pub(super) fn changing(name: &str, parameters: &[&str]) -> FuncRegistration {
    FuncRegistration::new(name).in_global_namespace().with_params_info(parameters)
}

/// A function that does not change its subject: it can be called on a constant.
pub(super) fn reading(name: &str, parameters: &[&str]) -> FuncRegistration {
    changing(name, parameters).with_purity(true)
}
