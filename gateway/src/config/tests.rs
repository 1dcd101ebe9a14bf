use super::*;

#[test]
fn the_shipped_file_says_what_an_absent_file_means() {
    let shipped: Settings = toml::from_str(include_str!("../../../gateway.toml")).unwrap();
    assert_eq!(shipped, Settings::default());
}
