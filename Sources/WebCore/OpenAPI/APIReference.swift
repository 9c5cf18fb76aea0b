internal import Identity

/// The reference of the HTTP API in Markdown, generated from the route table.
public enum APIReference {
    /// One table per first part of the path, in the order of `endpoints`.
    public static func markdown(_ endpoints: [Endpoint]) -> String {
        let text = """
            # HTTP API

            Made of the route table by `tribune openapi --markdown`; a test compares this page with it. The same table is served as an
            OpenAPI 3.1 document at `/api/v1/openapi.json`. Parameters of `POST` requests may be in a form body.

            Permissions come from identities and their roles ([Security](../operations/security.md)). Without configuration everybody has
            `probe` and `read`, programs of this machine also have `write`, `alert` and `silence`, and the token or socket that the start
            makes for the service's own user gives all of them. `gates.token_file` gives `read` and `gate`. `administer` also needs
            `--web.enable-lifecycle` or, for samples, `--web.enable-admin-api`; `write` needs `--web.enable-remote-write-receiver`, for OTLP `--web.enable-otlp-receiver`. Requests
            that change something, and those to the gates, are refused when a page of another site sends them.

            | Request | Permission | What it does | Parameters |
            |---|---|---|---|

            """
        let rows = endpoints.map { endpoint in
            let methods = endpoint.methods.map(\.rawValue).joined(separator: ", ")
            let parameters = endpoint.parameters.filter { $0.location == .query }.map(\.markdown)
            return "| `\(methods) \(endpoint.path)` | `\(endpoint.permission.rawValue)` | \(endpoint.summary) | "
                + parameters.joined(separator: ", ") + " |"
        }
        return text + rows.joined(separator: "\n")
    }
}

extension Parameter {
    /// The name; bold if it is required, with `…` if it may be repeated.
    fileprivate var markdown: String {
        let name = "`\(name)`" + (isRepeated ? "…" : "")
        return isRequired ? "**\(name)**" : name
    }
}
