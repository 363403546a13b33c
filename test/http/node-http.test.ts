import { exchangeContract } from './exchange.contract.ts';
import { wireContract } from './wire.contract.ts';

exchangeContract('node-http');
wireContract('node-http');
