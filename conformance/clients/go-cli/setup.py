"""What a release manager sets up with the CLI: projects and their variables, tenants, groups, accounts, targets."""

import re


def project_with_variables(p):
    """A project of this scenario's own, changed in each way the CLI knows, and removed."""
    w, name = p.world, "Go CLI yard"
    out = p.text("project", "create", "-n", name, "-g", "Harbour", "-l", "Anywhere", "-d", "Ships are built here")
    p.holds("project create", "Successfully created project '%s' (go-cli-yard), with lifecycle 'Anywhere' in project group 'Harbour'." % name in out, out)
    made = w.named("projects", name)
    p.same("what it made", [made["Description"], made["Slug"], made["LifecycleId"], made["ProjectGroupId"]],
           ["Ships are built here", "go-cli-yard", w.named("lifecycles", "Anywhere")["Id"], w.named("projectgroups", "Harbour")["Id"]])
    p.same("project view", p.lines("project", "view", "go-cli-yard")[2], "Ships are built here")

    change = ["project", "variables"]
    p.text(*change, "create", "-p", name, "-n", "Colour", "--value", "red", "--environment-scope", "Test")
    p.text(*change, "create", "-p", name, "-n", "Secret", "--value", "hush", "--type", "sensitive")
    p.text(*change, "create", "-p", name, "-n", "Size", "--prompted", "--prompt-label", "How big", "--prompt-required", "--prompt-type", "dropdown",
           "--prompt-dropdown-option", "s|Small", "--prompt-dropdown-option", "l|Large")
    said = {v["Name"]: v for v in p.json(*change, "list", "-p", name)}
    truth = {v["Name"]: v for v in w.http("/api/Spaces-1/variables/variableset-" + made["Id"])["Variables"]}
    p.same("its variables", sorted(said), ["Colour", "Secret", "Size"])
    p.same("in the world", sorted(truth), ["Colour", "Secret", "Size"])
    p.same("the scope", [e["Name"] for e in said["Colour"]["Scope"]["Environments"]], ["Test"])
    p.same("the scope in the world", truth["Colour"]["Scope"], {"Environment": [w.named("environments", "Test")["Id"]]})
    p.same("the secret", (truth["Secret"]["IsSensitive"], truth["Secret"]["Value"]), (True, None))
    settings = said["Size"]["Prompt"]["DisplaySettings"]
    p.same("the question", (said["Size"]["Prompt"]["Label"], settings["Octopus.ControlType"], settings["Octopus.SelectOptions"]),
           ("How big", "Select", "s|Small\nl|Large"))
    p.same("as the world has it", truth["Size"]["Prompt"]["DisplaySettings"], settings)
    p.text(*change, "update", "-p", name, "-n", "Colour", "--value", "blue", "--environment-scope", "Test")
    view = p.text(*change, "view", "Colour", "-p", name)
    p.holds("project variables view", re.search(r"Value +blue\n", view) and re.search(r"Environment scope +Test", view), view)
    p.text(*change, "delete", "-n", "Colour", "-p", name, "-y")
    p.same("what is left", sorted(v["Name"] for v in p.json(*change, "list", "-p", name)), ["Secret", "Size"])

    out = p.text("project", "clone", "--source", name, "-n", "Go CLI dock", "-g", "Fleet", "-l", "Standard")
    p.holds("project clone", "Successfully cloned project 'Go CLI dock' (go-cli-dock)" in out, out)
    copy = w.named("projects", "Go CLI dock")
    p.same("the copy", (copy["ClonedFromProjectId"], copy["ProjectGroupId"]), (made["Id"], w.named("projectgroups", "Fleet")["Id"]))
    for gone in ("Go CLI dock", name):
        p.text("project", "delete", gone, "-y")
    p.same("both are gone", [d["Name"] for d in w.all("projects") if d["Name"].startswith("Go CLI")], [])


def tenants_and_groups(p):
    """Tenants, groups, accounts, targets and pools of this scenario's own, made, changed and removed."""
    w, name = p.world, "Port of Go"
    out = p.text("tenant", "create", "-n", name, "-d", "A port", "-t", "Region/South")
    made = w.named("tenants", name)
    p.holds("tenant create", "Successfully created tenant %s (%s)." % (name, made["Id"]) in out, out)
    p.same("what it made", (made["Description"], made["TenantTags"], made["ProjectEnvironments"]), ("A port", ["Region/South"], {}))
    p.text("tenant", "connect", "-t", name, "-p", "Store", "-e", "Test", "-e", "Production")
    project, test, production = w.named("projects", "Store")["Id"], w.named("environments", "Test")["Id"], w.named("environments", "Production")["Id"]
    p.same("tenant connect", w.named("tenants", name)["ProjectEnvironments"], {project: [test, production]})
    p.text("tenant", "tag", "--tenant", name, "--tag", "Region/North")
    p.same("tenant tag", w.named("tenants", name)["TenantTags"], ["Region/North"])
    p.same("tenant view", p.lines("tenant", "view", name)[:3], ["%s (%s)" % (name, made["Id"]), "Tags: Region/North", "A port"])
    p.text("tenant", "clone", "--source-tenant", name, "-n", "Port of Gopher", "-d", "Its copy")
    copy = w.named("tenants", "Port of Gopher")
    p.same("tenant clone", (copy["ClonedFromTenantId"], copy["TenantTags"], copy["ProjectEnvironments"]), (made["Id"], ["Region/North"], {project: [test, production]}))
    p.text("tenant", "disconnect", "-t", name, "-p", "Store", "-y")
    p.same("tenant disconnect", w.named("tenants", name)["ProjectEnvironments"], {})
    p.same("tenant variables list", p.json("tenant", "variables", "list", "Port of Gopher"), None)  # so it writes an empty list
    for gone in ("Port of Gopher", name):
        p.text("tenant", "delete", gone, "-y")
    p.same("both are gone", [t["Name"] for t in w.all("tenants") if t["Name"].startswith("Port of Go")], [])

    p.text("project-group", "create", "-n", "Go CLI group", "-d", "For a while")
    made = w.named("projectgroups", "Go CLI group")
    p.same("project-group view", p.lines("project-group", "view", made["Id"])[:2], ["Go CLI group (%s)" % made["Id"], "For a while"])
    p.text("project-group", "delete", "Go CLI group", "-y")

    p.text("account", "username", "create", "-n", "Harbour master", "-u", "hm", "-p", "anchor")
    p.text("account", "token", "create", "-n", "Lighthouse", "-t", "blink")
    truth = {a["Name"]: a for a in w.all("accounts")}
    said = {a["Name"]: a for a in p.json("account", "list")}
    for account, kind in (("Harbour master", "UsernamePassword"), ("Lighthouse", "Token")):
        p.same("account list", (said[account]["Id"], said[account]["Slug"], said[account]["Type"]), (truth[account]["Id"], truth[account]["Slug"], kind))
        p.text("account", "delete", account, "-y")
    p.same("they are gone", [a for a in w.all("accounts") if a["Name"] in ("Harbour master", "Lighthouse")], [])

    p.text("deployment-target", "cloud-region", "create", "-n", "go-region", "--environment", "Development", "--role", "buoy", "--role", "web")
    made = w.named("machines", "go-region")
    p.same("cloud region", (made["EnvironmentIds"], sorted(made["Roles"]), made["Endpoint"]["CommunicationStyle"]),
           ([w.named("environments", "Development")["Id"]], ["buoy", "web"], "None"))
    p.text("deployment-target", "delete", "go-region", "-y")
    p.text("worker-pool", "static", "create", "-n", "Go pool", "--description", "Tugs")
    made = w.named("workerpools", "Go pool")
    view = p.text("worker-pool", "view", "Go pool")
    p.holds("worker-pool view", "Go pool (%s)" % made["Id"] in view and re.search(r"Total workers +0\n", view) and "Default" not in view, view)
    p.text("worker-pool", "delete", "Go pool", "-y")
    p.same("it is gone", [x["Name"] for x in w.all("workerpools") if x["Name"] == "Go pool"], [])
