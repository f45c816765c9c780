// For a Node before 22.21, whose fetch looks at no proxy variables: NODE_OPTIONS="--import=…/env_proxy.mjs"
import { EnvHttpProxyAgent, setGlobalDispatcher } from "undici";

setGlobalDispatcher(new EnvHttpProxyAgent());
