//! The API's own description: the OpenAPI document, a page to read it, and which methods an address takes.

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::header, web};
use serde_json::Value;
use utoipa::openapi::{
    OpenApi,
    path::Operation,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// A service's OpenAPI document (3.1) and what is derived from it.
pub(super) struct Description {
    json: String,
    page: String,
    /// Path templates, split at `/`, and the methods each takes.
    paths: Vec<(Vec<String>, Vec<&'static str>)>,
}

impl Description {
    pub(super) fn new(document: &OpenApi) -> Self {
        let mut document = document.clone();
        name_operations(&mut document);
        let document = &document;
        let paths = document.paths.paths.iter();
        let paths = paths
            .map(|(path, item)| {
                let methods = operations(item).map(|(method, _)| method).collect();
                (path.split('/').map(str::to_owned).collect(), methods)
            })
            .collect();
        Self { json: document.to_json().unwrap_or_default(), page: page(document), paths }
    }

    /// The methods that `path` takes; none when there is no such address.
    pub(super) fn methods_of(&self, path: &str) -> Vec<&'static str> {
        let asked: Vec<_> = path.split('/').collect();
        let fits = |template: &[String]| {
            template.len() == asked.len()
                && template.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
        };
        self.paths
            .iter()
            .filter(|(template, _)| fits(template))
            .flat_map(|(_, methods)| methods.clone())
            .collect()
    }
}

/// Says in the document that operations take an access token: `security(("bearer" = []))`.
pub struct BearerToken;

impl utoipa::Modify for BearerToken {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        if let Some(components) = &mut document.components {
            components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        }
    }
}

/// By method and address: a handler's name, which the library takes, is not unique, as `operationId` must be.
fn name_operations(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let words: Vec<_> =
            path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
            ("head", &mut item.head),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{}", words.join("_")));
            }
        }
    }
}

fn operations(item: &utoipa::openapi::path::PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

pub(super) fn routes(config: &mut web::ServiceConfig, prefix: &str) {
    config
        .route(&format!("{prefix}/openapi.json"), web::get().to(openapi))
        .route(&format!("{prefix}/docs"), web::get().to(docs));
}

async fn openapi(description: web::Data<Description>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(description.json.clone())
}

async fn docs(description: web::Data<Description>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        // The page is text and one style sheet, which stands in it; its hash would change with every edit here.
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
        ))
        .body(description.page.clone())
}

/// A page to read, without scripts: every operation with its input and answers.
fn page(document: &OpenApi) -> String {
    let mut html = String::from(PAGE_HEAD);
    let _ = write!(
        html,
        "<title>{title}</title><style>{STYLE}</style><main><h1>{title} <small>{version}</small></h1><p>{about}</p>",
        title = escaped(&document.info.title),
        version = escaped(&document.info.version),
        about = escaped(document.info.description.as_deref().unwrap_or_default()),
    );
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            operation_section(&mut html, method, path, operation);
        }
    }
    html.push_str("<h2>Schemas</h2>");
    for (name, schema) in document.components.iter().flat_map(|components| &components.schemas) {
        let json = serde_json::to_string_pretty(schema).unwrap_or_default();
        let _ = write!(
            html,
            r#"<details id="{name}"><summary>{name}</summary><pre>{json}</pre></details>"#,
            name = escaped(name),
            json = escaped(&json),
        );
    }
    html.push_str("</main>");
    html
}

fn operation_section(html: &mut String, method: &str, path: &str, operation: &Operation) {
    // As JSON: parameters, bodies and answers may each stand in place or be references, and JSON has one shape.
    let operation = serde_json::to_value(operation).unwrap_or_default();
    let text = |value: &Value, key: &str| escaped(value.get(key).and_then(Value::as_str).unwrap_or_default());
    let _ = write!(
        html,
        r#"<section><h3><b class="{method}">{method}</b> <code>{path}</code></h3><p>{summary}</p><p>{about}</p>"#,
        path = escaped(path),
        summary = text(&operation, "summary"),
        about = text(&operation, "description"),
    );
    if let Some(body) = operation.get("requestBody") {
        let _ = write!(html, "<p>Body {}</p>", schema_links(&body.to_string()));
    }
    html.push_str("<ul>");
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let _ = write!(
            html,
            "<li><code>{}</code> {}</li>",
            text(parameter, "name"),
            text(parameter, "description")
        );
    }
    html.push_str("</ul><table>");
    for (status, answer) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let about = text(answer, "description");
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{about}</td><td>{}</td></tr>",
            escaped(status),
            schema_links(&answer.to_string())
        );
    }
    html.push_str("</table></section>");
}

/// Links to every schema that a piece of the document names.
fn schema_links(json: &str) -> String {
    let names = json.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let links = names.map(|name| format!(r##"<a href="#{0}">{0}</a>"##, escaped(name)));
    links.collect::<Vec<_>>().join(", ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const PAGE_HEAD: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">"#;

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #8884; padding: .5rem 0 }
h1 small { font-weight: normal; opacity: .6 } h3 { margin: .5rem 0 }
b { font: 600 .75rem ui-monospace, monospace; padding: .2rem .5rem; border-radius: .3rem; color: #fff; background: #555 }
b.GET { background: #1264a3 } b.POST { background: #1a7f37 } b.PUT, b.PATCH { background: #8a5a00 } b.DELETE { background: #b3261e }
td { padding: .1rem 1rem .1rem 0; vertical-align: top } pre { overflow: auto } ul:empty { display: none }
";
