//! Several replicas: real processes of the operator against one API server and one provider, of which one leads.

mod election;
mod load;
mod notifications;
mod replica;
