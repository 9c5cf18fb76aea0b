public import Rollback
internal import Synchronization
internal import TrafficRouters

extension RollbackRunner {
    /// Every plan, or the plan `name`, with the live weights of its services, read from the routers on the calling
    /// thread. Blocks for at most the sum of the routers' timeouts.
    public func live(plan name: String?) -> [LivePlan] {
        let runners = plans.withLock { Array($0.values) }.map { $0.published.withLock { $0 } }
        return runners.filter { name == nil || $0.plan.name == name }.sorted { $0.plan.name < $1.plan.name }.map {
            published in
            let snapshot = published.snapshot
            return LivePlan(
                name: published.plan.name, generation: snapshot.generation, phase: snapshot.phase,
                services: zip(published.plan.services, snapshot.services).map { service, standing in
                    let router = ServiceRouter(service, client: settings.client.http)
                    let question = RouterOperation(
                        id: 0, epoch: snapshot.epoch ?? 0, generation: snapshot.generation, service: service.name,
                        kind: .inspect, key: "")
                    return LiveService(
                        name: service.name, progress: standing.progress, wanted: standing.split,
                        inspection: router.perform(question), routes: service.routes.map(\.json))
                })
        }
    }
}
