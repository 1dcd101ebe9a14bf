//! One exchange as spans: the request, and below it each attempt to have it answered.

use std::time::Instant;

use irongate_shared::traces::{self, Kind, Span, Value};

use crate::exchange::{Exchange, Traced, Try};

/// SECURITY: queries carry secrets and are not told, as in the log.
pub(super) fn tell(exchange: &Exchange<'_>) {
    let (request, record) = (&exchange.request, &exchange.record);
    let (Some(exporter), Some(traced)) = (traces::exporter(), &request.trace) else { return };
    let Traced { context, parent } = **traced;
    if !context.sampled {
        return;
    }
    let method = request.head.method.as_str();
    let text = |text: &str| Value::Text(text.to_owned());
    let mut attributes = vec![
        ("http.request.method", text(method)),
        ("url.path", text(request.raw_path())),
        ("url.scheme", text(request.client.scheme)),
        ("server.address", text(request.host())),
        ("client.address", Value::Text(request.client.address.to_string())),
        ("network.protocol.version", text(request.head.version.name().trim_start_matches("HTTP/"))),
        ("http.response.status_code", Value::Number(record.status.into())),
        ("irongate.request_id", text(&request.id)),
    ];
    if let Some(route) = &record.route {
        attributes.push(("http.route", text(route)));
    }
    if let Some(upstream) = &record.upstream {
        attributes.push(("irongate.upstream", text(upstream)));
    }
    if let Some(agent) = request.head.fields.text("user-agent") {
        attributes.push(("user_agent.original", text(agent)));
    }
    if let Some(fault) = &record.fault {
        attributes.push(("error.type", text(fault.name())));
    }
    exporter.tell(Span {
        context,
        parent,
        kind: Kind::Server,
        name: format!("{method} {}", record.route.as_deref().unwrap_or("none")),
        began: request.arrived,
        ended: Instant::now(),
        attributes,
        // What the client did wrong is no error of the server's span.
        error: (record.status >= 500).then(|| {
            record.fault.as_ref().map_or_else(|| record.status.to_string(), crate::fault::Fault::cause)
        }),
    });
    for Try { server, began, ended, outcome } in &record.tries {
        let mut attributes = vec![("http.request.method", text(method)), ("server.address", text(server))];
        match outcome {
            Ok(status) => attributes.push(("http.response.status_code", Value::Number((*status).into()))),
            Err(why) => attributes.push(("error.type", text(why))),
        }
        exporter.tell(Span {
            context: context.child(),
            parent: Some(context.span),
            kind: Kind::Client,
            name: format!("{method} {}", record.upstream.as_deref().unwrap_or("none")),
            began: *began,
            ended: *ended,
            attributes,
            error: outcome.err().map(str::to_owned),
        });
    }
}
