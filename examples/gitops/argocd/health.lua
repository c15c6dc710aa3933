-- Health of QosSession and QosProvider for Argo CD, which has no health for kinds that it does not know: without this an Application
-- counts as Healthy before the network has said anything. Install it under resource.customizations.health.qos-operator.io_QosSession
-- and …_QosProvider in the ConfigMap argocd-cm (docs/gitops.md). Argo CD loads the base and table libraries only.
local function condition(kind)
  for _, one in ipairs(obj.status.conditions or {}) do
    if one.type == kind and one.status == "True" then
      return one
    end
  end
end

if obj.metadata.deletionTimestamp ~= nil then
  local why = obj.status ~= nil and (condition("Reconciling") or condition("Stalled"))
  return { status = "Progressing", message = why and why.message or "being deleted" }
end

local paused = obj.metadata.annotations ~= nil and obj.metadata.annotations["qos-operator.io/paused"] == "true"

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  if paused then
    return { status = "Suspended", message = "paused by its annotation" }
  end
  return { status = "Progressing", message = "not yet seen in this form" }
end

local stalled = condition("Stalled")
if stalled ~= nil then
  if stalled.reason == "Paused" then
    return { status = "Suspended", message = stalled.message }
  end
  return { status = "Degraded", message = stalled.message }
end

local reconciling = condition("Reconciling")
if reconciling ~= nil then
  return { status = "Progressing", message = reconciling.message }
end

local ready = condition("Ready")
if ready ~= nil then
  return { status = "Healthy", message = ready.message }
end

return { status = "Progressing", message = "not ready yet" }
