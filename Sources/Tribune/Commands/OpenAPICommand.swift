internal import Identity
internal import Instrumentation
internal import JSON
internal import MetricStore
internal import Runtime
internal import WebCore

/// `tribune openapi`: the HTTP API for client generators and tests.
enum OpenAPICommand {
    static let command = Command(
        "openapi", "Print the OpenAPI document of the HTTP API.",
        options: [.flag("markdown", "Print a table of the endpoints instead.")],
        details: "The server returns the same document at /api/v1/openapi.json."
    ) { (invocation) throws(CommandFailure) in
        let endpoints = try Self.endpoints()
        if invocation.flag("markdown") {
            Console.print(APIReference.markdown(endpoints))
        } else {
            Console.print(OpenAPIDocument(endpoints, ServiceWeb.information).json.encoded)
        }
        return 0
    }

    /// Every endpoint of a service without samples.
    static func endpoints() throws(CommandFailure) -> [Endpoint] {
        do throws(StoreError) {
            let registry = Registry()
            let store = try MetricStore(StoreConfiguration(), registry: nil)
            let settings = ServiceSettings(configFile: "", storagePath: "")
            let web = ServiceWeb(
                ServiceWeb.Sources(store: store), settings, ExternalURL(), AccessControl(), registry: registry,
                logger: .silent)
            return web.endpoints
        } catch {
            throw CommandFailure("cannot create a store: \(error.description)")
        }
    }
}
